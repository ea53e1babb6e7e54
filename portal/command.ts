import type { Engines } from './environment.ts';

/** How times and amounts are printed for a person. JSON always has RFC 3339 in UTC, and fen. */
export interface Display {
  /** `at`: RFC 3339; null becomes ''. */
  time(at: string | null | undefined): string;
  money(fen: number): string;
}

/** The declaration of a command. One declaration serves to check, to explain and to read its options. */
export interface Option {
  /** Name of the value in the help text. null: a flag without a value. */
  value: string | null;
  required: boolean;
  about: string;
  /** The only values that it takes. */
  values?: readonly string[];
  /** It may be given several times. */
  repeated?: true;
}

export const required = (value: string, about: string): Option => ({ value, required: true, about });
export const optional = (value: string, about: string): Option => ({ value, required: false, about });
export const repeated = (value: string, about: string): Option => ({ value, required: false, about, repeated: true });
export const flag = (about: string): Option => ({ value: null, required: false, about });

export interface Printed {
  /** The one JSON line of --json. */
  json: Record<string, unknown>;
  /** Lines for a person. */
  text: readonly string[];
  /** true: the command ran, and it found a problem. Exit code 1. */
  problemFound?: boolean;
  /** true: the command had to compare, and there was nothing to compare. Exit code 2. */
  nothingCompared?: boolean;
}

/** Prints one line. */
export type Out = (line: string) => void;

/** One line for each thing that the command ends, removes or replaces. []: nothing, with these options. */
type Summarise = (given: Given, engines: Engines) => Promise<readonly string[]>;

export interface Verb {
  about: string;
  /** Words after the verb. All are required. The name of the last may end with `...`: one or more words. */
  operands?: readonly string[];
  /** Words that the first operand may be, for completion. */
  words?: readonly string[];
  options: Record<string, Option>;
  /** What is printed before it acts, and asked about on a terminal. false: it ends, removes and replaces nothing. */
  destructive: false | Summarise;
  /** It runs without engines. */
  standalone?: true;
  /** It runs also if MASTER_KEY is not the master key of the database. */
  anyKey?: true;
  /** `out`: for output that is too long to be held in memory. It is printed as it is. */
  run(given: Given, engines: Engines, out: Out): Promise<Printed>;
}

/** The verb '' belongs to the noun without a verb: `portal hot`. */
export interface Noun {
  about: string;
  verbs: Record<string, Verb>;
}

/** The command line is wrong: nothing was done. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command line, read by the declaration of the command. */
export class Given {
  constructor(
    /** Is written to the operator log. */
    readonly actor: string,
    /** The data folder of the running dev server; undefined: the environment, or the default folder. */
    readonly data: string | undefined,
    readonly operands: readonly string[],
    /** Writes times and amounts as the operator asked for. */
    readonly display: Display,
    private readonly values: ReadonlyMap<string, readonly string[]>,
    private readonly flags: ReadonlySet<string>,
  ) {}

  text(name: string): string {
    const value = this.optional(name);
    if (value === undefined) throw new UsageError(`--${name} is missing`);
    return value;
  }

  /** A word of a declared list. undefined: the option is not given. */
  choice<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const text = this.optional(name);
    if (text === undefined || (allowed as readonly string[]).includes(text)) return text as T | undefined;
    throw new UsageError(`--${name} takes one of ${allowed.join(', ')}, not "${text}"`);
  }

  optional(name: string): string | undefined {
    return this.all(name)[0];
  }

  /** Every value of an option that may be given several times, in their order. */
  all(name: string): readonly string[] {
    return this.values.get(name) ?? [];
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

  /** A list separated by commas. Throws UsageError for an entry that is not in `allowed`. */
  list<T extends string>(name: string, allowed: readonly T[]): T[] {
    const parts = this.text(name).split(',');
    for (const part of parts) {
      if (!(allowed as readonly string[]).includes(part)) {
        throw new UsageError(`--${name} takes a list of ${allowed.join(', ')}; "${part}" is not one of them`);
      }
    }
    return [...new Set(parts)] as T[];
  }
}
