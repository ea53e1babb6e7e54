import { checkSchedule } from './schedule-clock.ts';

export interface Schedule {
  functionName: string;
  expression: string;
  timezone: string;
  input: unknown;
  /** false: it does not run by the clock. */
  enabled: boolean;
}

/** The event `schedule` of a function, in each form that the framework accepts. */
export type DeclaredSchedule =
  | string
  | {
      rate: string | string[];
      input?: unknown;
      enabled?: boolean;
      timezone?: string;
      inputPath?: unknown;
      inputTransformer?: unknown;
    };

/** Throws if AWS would refuse an expression, or if it would change the input in a way that is not supported here. */
export function schedulesOf(functionName: string, declared: DeclaredSchedule): Schedule[] {
  const { rate, timezone = 'UTC', ...event } = typeof declared === 'string' ? { rate: declared } : declared;
  if (event.inputPath !== undefined || event.inputTransformer !== undefined) {
    throw new Error(`${functionName}: inputPath and inputTransformer of a schedule are not supported here`);
  }
  return [rate].flat().map((expression) => {
    try {
      checkSchedule(String(expression), timezone);
    } catch (error) {
      throw new Error(`the schedule of ${functionName}: ${(error as Error).message}`);
    }
    return { functionName, expression, timezone, input: inputOf(event.input), enabled: event.enabled !== false };
  });
}

/** A text is JSON. */
function inputOf(declared: unknown): unknown {
  return typeof declared === 'string' ? JSON.parse(declared) : (declared ?? {});
}
