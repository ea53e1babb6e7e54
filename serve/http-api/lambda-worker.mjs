// The thread of one function. It gets events and sends answers as structured clones.
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { contextMaker } from './lambda-context.mjs';

/** @import { ThreadCall } from './lambda-thread.ts' */

if (!parentPort) throw new Error('this file runs only as a worker thread');
const port = parentPort;

// Heavy work gets a lower priority than the main thread. Only Linux has priorities for each thread.
if (process.platform === 'linux') setPriority(0, 10);

// A bundle of `npm run dev` contains its source map: stacks then name the TypeScript files, as on the main thread.
process.setSourceMapsEnabled(true);

const contextFor = contextMaker(workerData.facts);
const loading = import(workerData.url);
loading.catch(() => undefined); // each call awaits it and gets the error

/**
 * Without `call` it answers when the bundle is loaded.
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
