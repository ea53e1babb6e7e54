import { MysqlError } from './errors.ts';
import { Link, type MysqlServer } from './link.ts';

const ANSWER_WITHIN_MS = 3_000;

/** The threads that are to be killed, by server. One connection kills all that come in while it is open. */
const waiting = new WeakMap<MysqlServer, { threads: number[]; done: Promise<void> }>();

/**
 * Ends the running statement: here at once, with the error `why`, and on the server as soon as that can be reached. A
 * statement that sleeps or waits for a lock does not notice that its socket was closed. Resolves when all is done, also
 * when the server cannot be reached.
 */
export function killStatement(link: Link, why: MysqlError): Promise<void> {
  const { server, thread } = link;
  link.abandon(why);
  if (thread === null) return Promise.resolve();
  const running = waiting.get(server);
  if (running) {
    running.threads.push(thread);
    return running.done;
  }
  const threads = [thread];
  const done = killAll(server, threads);
  waiting.set(server, { threads, done });
  return done;
}

async function killAll(server: MysqlServer, threads: number[]): Promise<void> {
  try {
    const killer = await Link.open(server);
    const noAnswer = new MysqlError(2013, 'HY000', 'no answer to KILL', true);
    for (let thread = threads.shift(); thread !== undefined; thread = threads.shift()) {
      const late = setTimeout(() => killer.abandon(noAnswer), ANSWER_WITHIN_MS);
      // The server refuses it for a connection that has ended by itself.
      await killer.run(`KILL ${thread}`).catch(() => {});
      clearTimeout(late);
    }
    killer.destroy();
  } catch {
    // The server is down.
  } finally {
    waiting.delete(server);
  }
}
