// The thread of one function: events come and answers go as structured clones.
import { parentPort, workerData } from 'node:worker_threads';
import { contextMaker } from './lambda-context.mjs';

const contextFor = contextMaker(workerData.facts);
const loading = import(workerData.url);
loading.catch(() => undefined); // each call below rejects with it

parentPort.on('message', async ({ id, event, deadline }) => {
  try {
    const { handler } = await loading;
    const result = await handler(event, contextFor(id, deadline));
    parentPort.postMessage({ id, result });
  } catch (error) {
    parentPort.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
