import { vi } from 'vitest';

/**
 * Workers are kept from file to file, since starting one costs a second. So that no file sees what another one left,
 * each begins with the environment of the run and with the project's modules loaded again.
 */
const kept = globalThis as { environmentOfRun?: NodeJS.ProcessEnv };
kept.environmentOfRun ??= { ...process.env };
for (const name of Object.keys(process.env)) if (!(name in kept.environmentOfRun)) delete process.env[name];
Object.assign(process.env, kept.environmentOfRun);
vi.resetModules();
