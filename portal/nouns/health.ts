import { readClocks } from '../../shared/clock.ts';
import { currentHealth } from '../../shared/health.ts';
import type { Noun, Printed } from '../command.ts';
import { table } from '../table.ts';

/** Beyond this difference the functions raise the alarm clock-skew. */
const ALARM_MS = 5_000;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

async function show(): Promise<Printed> {
  const engines = await currentHealth();
  if (engines.redis === 'down') {
    return { json: { engines }, text: [...engineLines(engines), 'Clocks: Redis does not answer.'], problemFound: true };
  }
  const { redisMs, skewMs, reports } = await readClocks();
  const clocks = [{ who: 'this machine', skewMs, secondsAgo: 0 }, ...reports];
  const rows = clocks.map(({ who, skewMs: ms, secondsAgo }) => [who, seconds(ms), `${secondsAgo} s ago`]);
  const apart = clocks.some(({ skewMs: ms }) => Math.abs(ms) > ALARM_MS);
  const text = [
    ...engineLines(engines),
    `Redis' clock: ${new Date(redisMs).toISOString()}`,
    ...table(['clock', 'ahead of Redis by', 'seen'], rows),
    ...(apart ? [`A clock is more than ${seconds(ALARM_MS)} off. Beyond 300 s its calls are refused.`] : []),
  ];
  const down = Object.values(engines).includes('down');
  return {
    json: { engines, redisTime: new Date(redisMs).toISOString(), clocks },
    text,
    problemFound: down || apart,
  };
}

const engineLines = (engines: object): string[] => Object.entries(engines).map(([name, state]) => `${name}: ${state}`);

export const health: Noun = {
  about: 'engines and clocks',
  verbs: {
    '': {
      about: 'Shows whether the engines answer, and how far the clocks of functions are from the clock of Redis.',
      options: {},
      destructive: false,
      run: show,
    },
  },
};
