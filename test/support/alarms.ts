import { vi } from 'vitest';

/** The alarms that `work` raises in this process, which also runs the functions. */
export async function alarmsOf(work: () => Promise<unknown>): Promise<Array<Record<string, unknown>>> {
  const lines = vi.spyOn(console, 'log').mockImplementation(() => {});
  const before = process.env.LOG;
  process.env.LOG = 'on';
  try {
    await work();
    return lines.mock.calls.map(([line]) => JSON.parse(String(line))).filter(({ level }) => level === 'alarm');
  } finally {
    process.env.LOG = before;
    lines.mockRestore();
  }
}
