import type { Engines } from './environment.ts';

/** How a command is declared: its options are checked, helped with and read by the same declaration. */
export interface Option {
  /** What stands for its value in help; null: a flag. */
  value: string | null;
  required: boolean;
  about: string;
}

export const required = (value: string, about: string): Option => ({ value, required: true, about });
export const optional = (value: string, about: string): Option => ({ value, required: false, about });
export const flag = (about: string): Option => ({ value: null, required: false, about });

export interface Printed {
  /** The one JSON line of --json. */
  json: Record<string, unknown>;
  /** Lines for a person. */
  text: readonly string[];
  /** true: it was done, and what it found is for a person to look at; exit code 1. */
  amiss?: boolean;
}

export interface Verb {
  about: string;
  /** Further words after the verb, all required; the last may end with `...`. */
  operands?: readonly string[];
  options: Record<string, Option>;
  run(given: Given, engines: Engines): Promise<Printed>;
}

/** A verb named '' is the noun alone: `portal hot`. */
export interface Noun {
  about: string;
  verbs: Record<string, Verb>;
}

/** The command was not understood: nothing was done, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was typed, by the command's declaration. */
export class Given {
  constructor(
    /** Stands in the operator log. */
    readonly actor: string,
    /** The data folder of the running dev server; undefined: the environment, or the default folder. */
    readonly data: string | undefined,
    readonly operands: readonly string[],
    private readonly values: ReadonlyMap<string, string>,
    private readonly flags: ReadonlySet<string>,
  ) {}

  text(name: string): string {
    const value = this.values.get(name);
    if (value === undefined) throw new UsageError(`--${name} is missing`);
    return value;
  }

  optional(name: string): string | undefined {
    return this.values.get(name);
  }

  flag(name: string): boolean {
    return this.flags.has(name);
  }

  integer(name: string, { min, max }: { min: number; max: number }): number {
    const text = this.text(name);
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= min && number <= max) return number;
    throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, not "${text}"`);
  }

  /** A comma separated list; each of them is one of `allowed`, where that is given. */
  list<T extends string>(name: string, allowed: readonly T[]): T[] {
    const parts = this.text(name).split(',');
    for (const part of parts) {
      if (!(allowed as readonly string[]).includes(part)) {
        throw new UsageError(`--${name} takes a list of ${allowed.join(', ')}; "${part}" is none of them`);
      }
    }
    return [...new Set(parts)] as T[];
  }
}
