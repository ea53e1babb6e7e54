import { createHash } from 'node:crypto';
import type { CommandFacts, CommandTable, KeySpec } from './redis-commands.ts';
import type { Argument } from './redis-connection.ts';

/*
 * Upstash locks only KEYS when a script starts with `#!lua flags=allow-key-locking`, and then refuses every key that
 * is not in KEYS. A plain Redis knows neither the flag nor the rule: it refuses the line, and lets computed keys pass
 * until the day they meet Upstash. So the line is replaced by a prologue of exactly one line, which leaves the numbers
 * of all others as they were, and which puts a checking `redis` in front of the real one.
 *
 * It finds honest mistakes. A script that reaches for `_G.redis` or loads code from text gets around it.
 */

const FLAG = 'allow-key-locking';
/** Scripts remembered under the SHA-1 of their original text; the oldest is forgotten first (answer: NOSCRIPT). */
const REMEMBERED = 200;

/** Need the whole database locked, or look at keys that nobody named. */
const DATABASE_WIDE = new Set(['FLUSHALL', 'FLUSHDB', 'SWAPDB', 'KEYS', 'SCAN', 'RANDOMKEY', 'DBSIZE']);

// The first text is Upstash's own; the other two have no published wording.
const DYNAMIC_KEY = `ERR Dynamic keys are not allowed in Lua scripts when '${FLAG}' flag is set. Key was: `;
const KEYS_UNKNOWN = `ERR Commands whose keys are not known from their arguments are not allowed in Lua scripts when '${FLAG}' flag is set. Command was: `;
const WHOLE_DATABASE = `ERR Commands that need the whole database are not allowed in Lua scripts when '${FLAG}' flag is set. Command was: `;

interface Enforced {
  originalSha: string;
  text: string;
  sha: string;
}

export interface PreparedCommand {
  args: Argument[];
  /** Restores what the caller may see: the script goes by the SHA-1 of the text that the caller knows. */
  restore?: { from: string; to: string };
  /** Set for SCRIPT LOAD: the SHA-1 to answer with. */
  answerSha?: string;
}

interface KeyLockingScripts {
  /** `command` with the script that Redis has to run in the place of the one that was sent. */
  prepare(command: Argument[], table: CommandTable): PreparedCommand;
}

export function keyLockingScripts(): KeyLockingScripts {
  const byText = new Map<string, Enforced>();
  const bySha = new Map<string, Enforced>();

  function enforce(script: Argument | undefined, table: CommandTable): Enforced | undefined {
    if (script === undefined) return undefined;
    const original = String(script);
    const known = byText.get(original);
    if (known) return known;
    const text = enforcedText(original, table);
    if (text === undefined) return undefined;
    const entry = { originalSha: sha1(original), text, sha: sha1(text) };
    byText.set(original, entry);
    bySha.set(entry.originalSha, entry);
    if (byText.size > REMEMBERED) {
      const [oldest, forgotten] = byText.entries().next().value as [string, Enforced];
      byText.delete(oldest);
      bySha.delete(forgotten.originalSha);
    }
    return entry;
  }

  const find = (sha: Argument | undefined) => bySha.get(String(sha).toLowerCase());

  return {
    prepare(command, table) {
      const name = String(command[0]).toUpperCase();
      const isEval = name === 'EVAL' || name === 'EVAL_RO';
      if (isEval || name === 'EVALSHA' || name === 'EVALSHA_RO') {
        const script = isEval ? enforce(command[1], table) : find(command[1]);
        if (!script) return { args: command };
        const restore = { from: script.sha, to: script.originalSha };
        return { args: [name, isEval ? script.text : script.sha, ...command.slice(2)], restore };
      }
      if (name !== 'SCRIPT') return { args: command };
      const action = String(command[1]).toUpperCase();
      if (action === 'EXISTS') return { args: [name, action, ...command.slice(2).map((sha) => find(sha)?.sha ?? sha)] };
      const script = action === 'LOAD' && command.length === 3 ? enforce(command[2], table) : undefined;
      return script ? { args: [name, action, script.text], answerSha: script.originalSha } : { args: command };
    },
  };
}

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

/** undefined: the script does not carry the flag and is Redis' alone. */
function enforcedText(original: string, table: CommandTable): string | undefined {
  if (!original.startsWith('#!lua')) return undefined;
  const end = original.indexOf('\n');
  const line = (end === -1 ? original : original.slice(0, end)).trim();
  const body = end === -1 ? '' : original.slice(end + 1);
  const flags = /(?:^|\s)flags=(\S*)/.exec(line)?.[1]?.split(',') ?? [];
  if (!flags.includes(FLAG)) return undefined;
  const others = flags.filter((flag) => flag !== FLAG && flag !== '');
  // Alone, the whole line goes: under a bare `#!lua` Redis refuses even reads when its memory is full.
  if (others.length === 0) return `${prologue(body, table)}\n${body}`;
  return `#!lua flags=${others.join(',')}\n${prologue(body, table)} ${body}`;
}

/** One line of Lua. What a script names is looked up in a small table, anything else in the text of all commands. */
function prologue(body: string, table: CommandTable): string {
  const quick = new Map<string, number>();
  for (const word of body.match(/[A-Za-z][A-Za-z_.-]*/g) ?? []) {
    const kind = quickKind(word.toUpperCase(), table.get(word.toUpperCase()));
    if (kind !== undefined) quick.set(word, kind);
  }
  const known = [...quick].map(([word, kind]) => `['${word}']=${kind}`).join(',');
  const all = [...table].map(([name, facts]) => `${name}=${longSpec(name, facts)}`).join(' ');
  const quoted = (text: string) => `"${text}"`;
  return PROLOGUE.replace('@KNOWN@', () => known)
    .replace('@ALL@', () => ` ${all} `)
    .replace('@DYNAMIC_KEY@', () => quoted(DYNAMIC_KEY))
    .replace('@KEYS_UNKNOWN@', () => quoted(KEYS_UNKNOWN))
    .replace('@WHOLE_DATABASE@', () => quoted(WHOLE_DATABASE));
}

/** 0: touches no key; 1: one key, the first argument; 2: all arguments are keys; undefined: anything else. */
function quickKind(name: string, facts: CommandFacts | undefined): 0 | 1 | 2 | undefined {
  if (!facts || facts.keys === 'unknown' || facts.hasSubcommands || DATABASE_WIDE.has(name)) return undefined;
  if (facts.keys.length === 0) return 0;
  const [spec] = facts.keys as [KeySpec];
  if (facts.keys.length > 1 || spec.keyword !== '' || spec.from !== 1 || spec.find.kind !== 'range') return undefined;
  if (spec.find.last === 0) return 1;
  return spec.find.last === -1 && spec.find.step === 1 && spec.find.limit < 2 ? 2 : undefined;
}

function longSpec(name: string, facts: CommandFacts): string {
  if (DATABASE_WIDE.has(name)) return '!';
  if (facts.hasSubcommands) return '*';
  if (facts.keys === 'unknown') return '?';
  return facts.keys
    .map(({ from, keyword, find }) =>
      find.kind === 'range'
        ? `${from},${keyword},r,${find.last},${find.step},${find.limit}`
        : `${from},${keyword},n,${find.at},${find.first},${find.step}`,
    )
    .join(';');
}

/*
 * The error of a refused or failed `redis.call` names the line it was called from, as without the prologue. Redis
 * writes source and line into the error when it leaves the script and would find the prologue's; the metatable holds
 * the right ones and lets that writing come to nothing. After a tail call the line is gone, and Redis' choice stays.
 */
const PROLOGUE = `
local redis=(function(R,K)
  local D={} for i=1,#K do D[K[i]]=true end
  local P={@KNOWN@}
  local function unknown(k)
    if D[k] then return end
    if type(k)=='number' then k=string.format('%.17g',k) if D[k] then return end end
    if type(k)=='string' then return @DYNAMIC_KEY@..k end
  end
  local function slow(name,...)
    if type(name)~='string' then return end
    local a,n,S={...},select('#',...),"@ALL@"
    local N=string.upper(name)
    local function spec() local _,j=string.find(S,' '..N..'=',1,true) return j and string.match(S,'^%S*',j+1) end
    local s=spec()
    if s=='*' and type(a[1])=='string' then N=N..'|'..string.upper(a[1]) s=spec() end
    if s==nil or s=='*' then return end
    if s=='?' then return @KEYS_UNKNOWN@..name end
    if s=='!' then return @WHOLE_DATABASE@..name end
    for from,word,kind,p,q,l in string.gmatch(s,'(%-?%d+),([^,]*),(%a),(%-?%d+),(%-?%d+),(%-?%d+)') do
      local first,last,step=tonumber(from)
      p,q,l=tonumber(p),tonumber(q),tonumber(l)
      if word~='' then
        local i,stop,by=first,n,1
        if first<0 then i,stop,by=n+1+first,1,-1 end
        first=nil
        for at=i,stop,by do if string.upper(tostring(a[at]))==word then first=at+1 break end end
      end
      if first then
        if kind=='n' then
          local count=tonumber(a[first+p]) or 0
          first=first+q step=l last=first+(count-1)*step
        else
          step=q
          if p>=0 then last=first+p elseif l<2 then last=n+1+p else last=first+math.floor((n+1-first)/l)+p end
        end
        for at=first,math.min(last,n),step do local no=unknown(a[at]) if no then return no end end
      end
    end
  end
  local function check(name,key,...)
    local kind=P[name]
    if kind==0 or (kind==1 and D[key]) then return end
    if kind==2 then
      local a,all={key,...},true
      for i=1,#a do if not D[a[i]] then all=false break end end
      if all then return end
    end
    return slow(name,key,...)
  end
  local function raise(e)
    local _,where=pcall(error,'',4)
    local line=string.match(where,':(%d+):')
    if line then
      setmetatable(e,{__index={source='@user_script',line=line},__newindex=function() end})
    end
    error(e)
  end
  local engine=R.pcall
  local checked=setmetatable({
    call=function(...)
      local no=check(...)
      if no then raise({err=no}) end
      local r=engine(...)
      if type(r)=='table' and rawget(r,'err') then raise(r) end
      return r
    end,
    pcall=function(...)
      local no=check(...)
      if no then return {err=no} end
      return engine(...)
    end
  },{__index=R})
  return setmetatable({},{__index=checked,__newindex=R})
end)(redis,KEYS);`
  .trim()
  .replace(/\s*\n\s*/g, ' ');
