import { afterAll, vi } from 'vitest';
import { endFile } from './end-of-file.ts';

/**
 * A worker runs many files, because its start takes a second. Each file begins with the environment of the run, and
 * with the modules of the project loaded again, so that no file sees the state of another one.
 */
const kept = globalThis as { environmentOfRun?: NodeJS.ProcessEnv };
kept.environmentOfRun ??= { ...process.env };
for (const name of Object.keys(process.env)) if (!(name in kept.environmentOfRun)) delete process.env[name];
Object.assign(process.env, kept.environmentOfRun);
vi.resetModules();
afterAll(endFile);
