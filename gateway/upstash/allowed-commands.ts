import { findOption } from './command-options.ts';
import type { CommandTable } from './redis-commands.ts';
import type { Argument } from './redis-connection.ts';

/*
 * The commands that callers may send: those that Upstash documents for its REST protocol. Everything else is refused,
 * also what a later Redis adds. Not in the list are commands that block, that change the state of the connection that
 * all callers share, or that administer the server.
 */
const COMMANDS = words(`
  APPEND DECR DECRBY DELEX DIGEST GET GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT MGET MSET MSETNX PSETEX SET
  SETEX SETNX SETRANGE STRLEN
  BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS GETBIT SETBIT
  COPY DEL DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME KEYS PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PTTL RANDOMKEY RENAME
  RENAMENX RESTORE SCAN TOUCH TTL TYPE UNLINK
  GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH GEOSEARCHSTORE
  HDEL HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET
  HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS
  PFADD PFCOUNT PFMERGE
  JSON.ARRAPPEND JSON.ARRINDEX JSON.ARRINSERT JSON.ARRLEN JSON.ARRPOP JSON.ARRTRIM JSON.CLEAR JSON.DEL JSON.FORGET
  JSON.GET JSON.MERGE JSON.MGET JSON.MSET JSON.NUMINCRBY JSON.NUMMULTBY JSON.OBJKEYS JSON.OBJLEN JSON.RESP JSON.SET
  JSON.STRAPPEND JSON.STRLEN JSON.TOGGLE JSON.TYPE
  LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH RPUSH RPUSHX
  SADD SCARD SDIFF SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM
  SSCAN SUNION SUNIONSTORE
  ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN
  ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE
  ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE
  XACK XACKDEL XADD XAUTOCLAIM XCLAIM XDEL XDELEX XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XTRIM
  EVAL EVAL_RO EVALSHA EVALSHA_RO FCALL FCALL_RO
  PUBLISH PING ECHO DBSIZE FLUSHALL FLUSHDB INFO TIME`);

/** The subcommands of commands that have some. OBJECT is not in Upstash's list; these four only read one key. */
const SUBCOMMANDS = new Map([
  ['COMMAND', words('COUNT DOCS GETKEYS GETKEYSANDFLAGS INFO LIST')],
  ['FUNCTION', words('DELETE FLUSH KILL LIST LOAD STATS')],
  ['JSON.DEBUG', words('MEMORY')],
  ['MEMORY', words('USAGE')],
  ['OBJECT', words('ENCODING FREQ IDLETIME REFCOUNT')],
  ['PUBSUB', words('CHANNELS NUMPAT NUMSUB')],
  ['SCRIPT', words('EXISTS FLUSH KILL LOAD')],
  ['XGROUP', words('CREATE CREATECONSUMER DELCONSUMER DESTROY SETID')],
  ['XINFO', words('CONSUMERS GROUPS STREAM')],
]);

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

const COMPATIBILITY = 'https://upstash.com/docs/redis/overall/rediscompatibility';

/**
 * The error text for a command that callers may not send, or that this Redis does not have. undefined: it may be sent.
 */
export function unavailable(table: CommandTable, command: readonly Argument[]): string | undefined {
  const name = String(command[0]).toUpperCase();
  const refused = refusedName(table, name, command);
  return refused === undefined
    ? undefined
    : `ERR Command is not available: '${refused}'. See ${COMPATIBILITY} for details`;
}

function refusedName(table: CommandTable, name: string, command: readonly Argument[]): string | undefined {
  const subcommands = SUBCOMMANDS.get(name);
  if (!table.has(name) || !(subcommands || COMMANDS.has(name))) return name;
  if (subcommands) {
    // Without a subcommand it is COMMAND, which is allowed, or Redis answers that an argument is missing.
    if (command[1] === undefined) return undefined;
    const subcommand = String(command[1]).toUpperCase();
    return subcommands.has(subcommand) ? undefined : `${name} ${subcommand}`;
  }
  const mayBlock = name === 'XREAD' || name === 'XREADGROUP';
  return mayBlock && findOption(command, 'BLOCK', 1) !== undefined ? name : undefined;
}
