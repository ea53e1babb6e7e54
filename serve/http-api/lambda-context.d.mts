import type { Context } from 'aws-lambda';

export type LambdaContext = Context;

/** Makes the second argument of a handler. `deadline` is in milliseconds since 1970. */
export function contextMaker(facts: {
  functionName: string;
  memoryMegabytes: number;
}): (awsRequestId: string, deadline: number) => LambdaContext;
