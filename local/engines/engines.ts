// The one door to real engines: who starts one need not know how it is found, fetched, bootstrapped or bound.
export { findRedis } from './engine-binary.ts';
export { type MysqlServer, startMysql } from './mysql-server.ts';
export { type RedisServer, startRedis } from './redis-server.ts';
export { type SentinelSet, startSentinels } from './sentinel.ts';
