// Plain JavaScript: a worker thread loads this file too, and it has no TypeScript loader.

/** @import { Context } from 'aws-lambda' */

/**
 * Makes the second argument of a handler. `deadline` is in milliseconds since 1970.
 * @param {{ functionName: string, memoryMegabytes: number }} facts
 */
export function contextMaker({ functionName, memoryMegabytes }) {
  const unused = () => {
    throw new Error('return a result or throw an error: done, fail and succeed are not supported here');
  };
  /** @type {(awsRequestId: string, deadline: number) => Context} */
  const contextFor = (awsRequestId, deadline) => ({
    awsRequestId,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:local:000000000000:function:${functionName}`,
    memoryLimitInMB: String(memoryMegabytes),
    logGroupName: `/aws/lambda/${functionName}`,
    logStreamName: 'local',
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    done: unused,
    fail: unused,
    succeed: unused,
  });
  return contextFor;
}
