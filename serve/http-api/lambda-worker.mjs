// The thread of one function: events come and answers go as structured clones.
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { contextMaker } from './lambda-context.mjs';

/** @import { ThreadCall } from './lambda-thread.ts' */

if (!parentPort) throw new Error('this file runs as a worker thread alone');
const port = parentPort;

// Work that is heavy enough for a thread of its own waits for everybody else's. Linux alone has threads that differ.
if (process.platform === 'linux') setPriority(0, 10);

const contextFor = contextMaker(workerData.facts);
const loading = import(workerData.url);
loading.catch(() => undefined); // each call that waits for it gets the error

/**
 * Without a call it answers once the bundle is loaded.
 * @param {ThreadCall} asked
 */
async function answer({ id, call }) {
  const { handler } = await loading;
  return call && handler(call.event, contextFor(id, call.deadline));
}

port.on('message', async (/** @type {ThreadCall} */ asked) => {
  const { id } = asked;
  try {
    port.postMessage({ id, result: await answer(asked) });
  } catch (error) {
    port.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
