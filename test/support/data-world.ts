import { maintainFilter } from '../../shared/data/filter-builder.ts';
import { allResources } from '../../shared/data/resources.ts';
import { openBearerSession } from './bearer-session.ts';
import { type OwnRecordWorld, type Person, startOwnRecordWorld } from './own-record-world.ts';
import type { TestAnswer, TestApp } from './stack.ts';

/** Users who call /data, with sessions at several apps and with complete existence filters. */
export interface DataWorld extends Omit<OwnRecordWorld, 'cost'> {
  /** The same person with a session at another app. */
  at(app: TestApp, person: Person): Promise<Person>;
  /** Requests to Redis and to MySQL. */
  cost(work: () => Promise<TestAnswer>): Promise<{ answer: TestAnswer; cost: [redis: number, mysql: number] }>;
  /** Complete existence filters of all resources, so that ids that do not exist are refused without MySQL. */
  buildFilters(): Promise<void>;
}

export async function startDataWorld(): Promise<DataWorld> {
  const world = await startOwnRecordWorld();
  return {
    ...world,
    async at({ appId }, { userId }) {
      return { userId, session: (await openBearerSession(appId, userId)).token };
    },
    async cost(work) {
      await world.stack.resetCounters();
      const answer = await work();
      const { redisRequests, mysqlRequests } = await world.stack.counters();
      return { answer, cost: [redisRequests, mysqlRequests] };
    },
    async buildFilters() {
      for (const resource of allResources()) {
        for (let steps = 0; (await maintainFilter(resource, Date.now() + 60_000, 0)) !== 'live'; steps++) {
          if (steps === 10) throw new Error(`the filter of ${resource.name} was not built`);
        }
      }
    },
  };
}
