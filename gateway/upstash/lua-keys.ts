import { createHash } from 'node:crypto';
import { OPTION_ARGUMENTS } from './command-options.ts';
import type { CommandFacts, CommandTable, KeySpec } from './redis-commands.ts';
import type { Argument } from './redis-connection.ts';

/*
 * A script that starts with `#!lua flags=allow-key-locking` locks only its KEYS on Upstash, and Upstash refuses every
 * other key. Redis does not know the flag: it refuses the line, and without the line it accepts computed keys. Such a
 * script would fail only in production. So the gateway replaces the line by Lua code that checks every key before it
 * calls Redis. The code is one line long, so that the line numbers in error messages stay right.
 *
 * The check finds mistakes, not attacks: a script that uses `_G.redis` or `loadstring` avoids it.
 */

const FLAG = 'allow-key-locking';
/** The most scripts in memory, by the SHA-1 of their original text. EVALSHA of an older one answers NOSCRIPT. */
const REMEMBERED = 200;

/** Commands that need the whole database, so that locking the KEYS is not enough. */
const DATABASE_WIDE = new Set(['FLUSHALL', 'FLUSHDB', 'SWAPDB', 'KEYS', 'SCAN', 'RANDOMKEY', 'DBSIZE']);

// The first text is Upstash's. Upstash publishes no text for the other two cases.
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
  /** Replaces the SHA-1 in error texts: Redis knows the changed script, the caller knows the original one. */
  restore?: { from: string; to: string };
  /** Set for SCRIPT LOAD: answer with this SHA-1, which is that of the original script. */
  answerSha?: string;
}

interface KeyLockingScripts {
  /** `command`, in which a script with the flag is replaced by the script with the check. */
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

/** The script with the check. undefined: the script does not have the flag and is sent as it is. */
function enforcedText(original: string, table: CommandTable): string | undefined {
  if (!original.startsWith('#!lua')) return undefined;
  const end = original.indexOf('\n');
  const line = (end === -1 ? original : original.slice(0, end)).trim();
  const body = end === -1 ? '' : original.slice(end + 1);
  const flags = /(?:^|\s)flags=(\S*)/.exec(line)?.[1]?.split(',') ?? [];
  if (!flags.includes(FLAG)) return undefined;
  const others = flags.filter((flag) => flag !== FLAG && flag !== '');
  // Without other flags the whole line is dropped: a script with a bare `#!lua` cannot even read when Redis' memory is
  // full.
  if (others.length === 0) return `${prologue(body, table)}\n${body}`;
  return `#!lua flags=${others.join(',')}\n${prologue(body, table)} ${body}`;
}

/**
 * The check, as one line of Lua. Commands that the script names are looked up in a small table; the text of all
 * commands is searched only for names that the script computes.
 */
function prologue(body: string, table: CommandTable): string {
  const quick = new Map<string, number>();
  for (const word of body.match(/[A-Za-z][A-Za-z_.-]*/g) ?? []) {
    const kind = quickKind(word.toUpperCase(), table.get(word.toUpperCase()));
    if (kind !== undefined) quick.set(word, kind);
  }
  const known = [...quick].map(([word, kind]) => `['${word}']=${kind}`).join(',');
  const all = [...table].map(([name, facts]) => `${name}=${longSpec(name, facts)}`).join(' ');
  const options = [...OPTION_ARGUMENTS].map(([word, count]) => `${word}=${count}`).join(',');
  const quoted = (text: string) => `"${text}"`;
  return PROLOGUE.replace('@KNOWN@', () => known)
    .replace('@OPTIONS@', () => options)
    .replace('@ALL@', () => ` ${all} `)
    .replace('@DYNAMIC_KEY@', () => quoted(DYNAMIC_KEY))
    .replace('@KEYS_UNKNOWN@', () => quoted(KEYS_UNKNOWN))
    .replace('@WHOLE_DATABASE@', () => quoted(WHOLE_DATABASE));
}

/**
 * 0: the command has no key; 1: the first argument is its only key; 2: all arguments are keys; undefined: anything
 * else.
 */
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
 * The error of a `redis.call` has to name the line of the script that called it. Redis writes `source` and `line` into
 * the error table when the script ends, and would write the line of the prologue. So `raise` gives the table a
 * metatable that holds the right values and ignores that write. After a tail call the line is unknown, and Redis' value
 * stays.
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
    local a,n,S,O={...},select('#',...),"@ALL@",{@OPTIONS@}
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
        local at,by=word=='STREAMS' and 1 or first,1
        if first<0 then at,by=n+1+first,-1 end
        first=nil
        while at>=1 and at<=n do
          local w=string.upper(string.match(tostring(a[at]),'^%Z*'))
          if w==word then first=at+1 break end
          at=at+by+(by>0 and O[w] or 0)
        end
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
