/**
 * The only file that reads the environment. A module declares the variables that it needs when it is imported. So the
 * bundle of a function holds exactly the names that it uses, and a test compares these with serverless.yml.
 */

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

interface Declaration {
  name: string;
  required: boolean;
  problem(value: string): string | undefined;
}

const declarations = new Map<string, Declaration>();

/** Throws one ConfigError that names all missing and malformed variables, so that one correction is enough. */
export function checkConfig(): void {
  const problems = [...declarations.values()].flatMap(({ name, required, problem }) => {
    const value = process.env[name];
    if (value === undefined || value === '') return required ? [`${name} is not set`] : [];
    const wrong = problem(value);
    return wrong === undefined ? [] : [`${name} ${wrong}`];
  });
  if (problems.length > 0) throw configError(problems);
}

const configError = (problems: string[]): ConfigError =>
  new ConfigError(`configuration: ${problems.join('; ')}; see .env.example`);

function declare<T>(name: string, required: boolean, parse: (value: string) => T, fallback: T): () => T {
  const reason = (error: unknown): string => (error instanceof ConfigError ? error.message : 'is malformed');
  declarations.set(name, {
    name,
    required,
    problem(value) {
      try {
        parse(value);
        return undefined;
      } catch (error) {
        return reason(error);
      }
    },
  });
  // Keys are read for every call, so a value is parsed once.
  let last: { value: string; parsed: T } | undefined;
  return () => {
    const value = process.env[name];
    if (value === undefined || value === '') {
      if (required) checkConfig();
      return fallback;
    }
    if (last?.value === value) return last.parsed;
    try {
      last = { value, parsed: parse(value) };
      return last.parsed;
    } catch (error) {
      throw configError([`${name} ${reason(error)}`]);
    }
  };
}

const identity = (value: string): string => value;

/** A variable that must be set. It is read at the first use, so a test can import the file without an environment. */
export const requiredText = (name: string): (() => string) => declare(name, true, identity, '');

/** undefined when unset: the feature that it switches on does not exist then. */
export const optionalText = (name: string): (() => string | undefined) =>
  declare<string | undefined>(name, false, identity, undefined);

/** Declared optional variables that switch a feature on together: each is required as soon as one is set. */
export function setTogether(...names: string[]): void {
  for (const name of names) {
    const declaration = declarations.get(name);
    if (declaration) Object.defineProperty(declaration, 'required', { get: () => names.some(isSet) });
  }
}

/** A base URL without query and credentials. undefined when unset. */
export const optionalUrl = (name: string): (() => URL | undefined) =>
  declare<URL | undefined>(name, false, parseBaseUrl, undefined);

/** false: unset or empty. For tools that must not take a default for what the operator forgot. */
export const isSet = (name: string): boolean => Boolean(process.env[name]);

export const textOr = (name: string, fallback: string): (() => string) => declare(name, false, identity, fallback);

export const integerOr = (name: string, fallback: number): (() => number) =>
  declare(name, false, parsePositiveInteger, fallback);

/** undefined when unset: there is no such limit. A malformed value is an error, so that it never means "no limit". */
export const optionalInteger = (name: string): (() => number | undefined) =>
  declare<number | undefined>(name, false, parsePositiveInteger, undefined);

/** 32 bytes as 64 hex digits. The same Buffer each time: do not change it. */
export const requiredKey = (name: string): (() => Buffer) => declare(name, true, parseKey, Buffer.alloc(0));

/** Former keys of 64 hex digits, separated by commas, the newest first. */
export const optionalKeys = (name: string, most = Number.POSITIVE_INFINITY): (() => Buffer[]) =>
  declare<Buffer[]>(name, false, (value) => parseKeys(value, most), []);

function parseKeys(value: string, most: number): Buffer[] {
  const parts = value.split(',');
  if (parts.length > most) throw new ConfigError(`must be at most ${most} keys`);
  return parts.map((part) => parseKey(part.trim()));
}

function parseBaseUrl(value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (!url || !isHttp || url.username || url.password || url.search || url.hash)
    throw new ConfigError('must be a URL such as https://files.example.com');
  return url;
}

function parsePositiveInteger(value: string): number {
  if (!/^[1-9]\d{0,9}$/.test(value)) throw new ConfigError('must be a positive integer');
  return Number(value);
}

function parseKey(value: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(value)) throw new ConfigError('must be 64 hex digits (32 bytes)');
  return Buffer.from(value, 'hex');
}

export const stage = textOr('STAGE', 'dev');

/** `on`: log lines contain the messages of errors, which may contain data. Only on the machine of a developer. */
export const errorDetails = textOr('ERROR_DETAILS', 'off');
