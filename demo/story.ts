import { setTimeout as sleep } from 'node:timers/promises';
import type { Meter, Requests } from './meter.ts';
import type { Exchange, Tape, TapedAnswer } from './tape.ts';

/** A step did not give the expected result. */
class UnexpectedResult extends Error {
  override readonly name = 'UnexpectedResult';
}

/** Throws UnexpectedResult if the condition is false. `what` describes the expected result. */
export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new UnexpectedResult(`expected: ${what}`);
}

/** Returns the body if status and code are the expected ones. Code '': no code is expected. */
// biome-ignore lint/suspicious/noExplicitAny: each step says what it expects of the body
export function answers(answer: TapedAnswer, status: number, code = ''): any {
  const found = (answer.body as { code?: string } | undefined)?.code ?? '';
  if (answer.status !== status || found !== code) {
    throw new UnexpectedResult(`expected ${status} ${code}, got ${answer.status} ${found}`);
  }
  return answer.body;
}

export interface StepResult {
  rows: string[];
  title: string;
  passed: boolean;
  milliseconds: number;
  /** undefined: not counted. */
  requests?: Requests;
  failure?: string;
}

/** Requests to each engine. A number: exactly this many. */
type Price = { [engine in keyof Requests]?: number | { most: number } };

export interface Story {
  chapter(title: string): void;
  /**
   * Runs one step, and prints its rows, requests, answers and price. With `price` the work must cost exactly that. A
   * schedule may add requests, so the work is measured again after a pause, five times at most: it must be repeatable.
   */
  step<T>(rows: string, title: string, work: () => Promise<T>, price?: Price): Promise<T>;
  results: StepResult[];
}

const SHOWN_EXCHANGES = 6;
const MAX_MEASUREMENTS = 5;
const PAUSE_MS = 400;

export function newStory(options: {
  tape: Tape;
  meter: Meter | undefined;
  print: (line: string) => void;
  colour: boolean;
}): Story {
  const { tape, meter, print } = options;
  const paint = (code: number, text: string) => (options.colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const results: StepResult[] = [];

  async function measured<T>(work: () => Promise<T>): Promise<{ value: T; requests?: Requests; milliseconds: number }> {
    tape.rewind();
    const before = await meter?.read();
    const startedAt = performance.now();
    const value = await work();
    const milliseconds = performance.now() - startedAt;
    const after = await meter?.read();
    const requests = before && after && { redis: after.redis - before.redis, mysql: after.mysql - before.mysql };
    return { value, milliseconds, ...(requests && { requests }) };
  }

  return {
    results,
    chapter: (title) => print(`\n${paint(1, title)}`),
    async step(rows, title, work, price) {
      const startedAt = performance.now();
      const entry = { rows: rows.split(' '), title };
      try {
        let run = await measured(work);
        const isPriced = () => !price || !run.requests || costs(run.requests, price);
        for (let again = 1; again < MAX_MEASUREMENTS && !isPriced(); again++) {
          await sleep(again * PAUSE_MS);
          run = await measured(work);
        }
        const { value, milliseconds, requests } = run;
        must(isPriced(), `requests ${priced(price)}; it made ${priced(requests)}`);
        print(`\n${paint(32, '✓')} ${paint(36, rows)}  ${title}`);
        for (const line of shownExchanges(tape.exchanges)) print(paint(2, line));
        print(paint(2, `    ${milliseconds.toFixed(1)} ms${requests ? ` · ${priced(requests)}` : ''}`));
        results.push({ ...entry, passed: true, milliseconds, ...(requests && { requests }) });
        return value;
      } catch (error) {
        const failure = error instanceof Error ? error.message : String(error);
        print(`\n${paint(31, '✗')} ${paint(36, rows)}  ${title}`);
        for (const line of shownExchanges(tape.exchanges)) print(line);
        print(paint(31, `    ${failure}`));
        results.push({ ...entry, passed: false, milliseconds: performance.now() - startedAt, failure });
        throw error;
      }
    },
  };
}

function costs(requests: Requests, price: Price): boolean {
  return (['redis', 'mysql'] as const).every((engine) => {
    const expected = price[engine];
    if (expected === undefined) return true;
    return typeof expected === 'number' ? requests[engine] === expected : requests[engine] <= expected.most;
  });
}

function priced({ redis, mysql }: Price = {}): string {
  const text = (name: string, value: Price['redis']) =>
    value === undefined ? [] : [typeof value === 'number' ? `${value} ${name}` : `at most ${value.most} ${name}`];
  return [...text('Redis', redis), ...text('MySQL', mysql)].join(', ');
}

/** All exchanges if they are few. Otherwise the first two and the last one. */
function shownExchanges(exchanges: readonly Exchange[]): string[] {
  const lines = (some: readonly Exchange[]) =>
    some.flatMap(({ asked, answered }) => [`    → ${asked}`, `    ← ${answered}`]);
  if (exchanges.length <= SHOWN_EXCHANGES) return lines(exchanges);
  const left = exchanges.length - 3;
  return [...lines(exchanges.slice(0, 2)), `    … ${left} more`, ...lines(exchanges.slice(-1))];
}
