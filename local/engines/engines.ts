// The entry to real engines. Callers need not know how an engine is found, downloaded, set up or stopped.
export { findRedis } from './engine-binary.ts';
export { type MysqlServer, startMysql } from './mysql-server.ts';
export { type RedisServer, startRedis } from './redis-server.ts';
export { type SentinelSet, startSentinels } from './sentinel.ts';
