import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { isDay } from '../shared/recharge/books/china-day.ts';
import { UsageError } from './command.ts';

/** Checks of values that operators type. Each throws UsageError, whose message says what is allowed. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

export function idForm(option: string, text: string): string {
  if (ID.test(text)) return text;
  throw new UsageError(`--${option} takes 1 to 64 of A-Z a-z 0-9 _ -, not "${text}"`);
}

export function nameForm(option: string, text: string): string {
  if (text.trim() !== '' && [...text].length <= 100 && !/[\p{Cc}\p{Cs}]/u.test(text)) return text;
  throw new UsageError(`--${option} takes a text of 1 to 100 characters`);
}

/** https, or http to this machine. */
export function urlForm(option: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url !== undefined && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  const isFit = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal);
  if (url && isFit && !url.username && !url.password && text.length <= 500) return text;
  throw new UsageError(`--${option} takes an https URL (http only for this machine) without user and password`);
}

/** `HOST:PORT`; an IPv6 address in brackets. */
export function addressForm(option: string, text: string): { host: string; port: number } {
  const [, host = '', digits] = /^([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const bare = host.replace(/^\[|\]$/g, '');
  if (host !== '' && port >= 1 && port <= 65_535 && (!host.startsWith('[') || isIP(bare) === 6)) {
    return { host: bare, port };
  }
  throw new UsageError(`--${option} takes HOST:PORT, such as login.example.com:7000, not "${text}"`);
}

export function ipForm(option: string, text: string): string {
  if (isIP(text) !== 0 && !text.includes('%')) return text;
  throw new UsageError(`--${option} takes an IP address, not "${text}"`);
}

/**
 * With its country; a number of mainland China may come without. A phone number is personal data, so the message does
 * not repeat it.
 */
export function phoneForm(option: string, text: string): string {
  if (/^1\d{10}$/.test(text)) return `+86${text}`;
  if (/^\+[1-9]\d{4,14}$/.test(text)) return text;
  throw new UsageError(`--${option} takes a phone number such as 13812345678 or +4915112345678`);
}

export function jsonForm(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--${option} takes JSON, and the value is not valid JSON`);
  }
}

/** The text of a file as its author sees it: without the mark of its coding, with one kind of line break. */
export function writtenText(option: string, file: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
    return text.replaceAll('\r\n', '\n').replace(/\n$/, '');
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`--${option} names a file that is not UTF-8: ${file}`);
    throw new UsageError(`--${option} names a file that cannot be read: ${file}`);
  }
}

export function textOfFile(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    throw new UsageError(`--${option} names a file that cannot be read: ${file}`);
  }
}

/** A day in China. */
export function dayForm(option: string, text: string): string {
  if (isDay(text)) return text;
  throw new UsageError(`--${option} takes a day such as 2026-11-24`);
}

export function bytesOfFile(option: string, file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch {
    throw new UsageError(`--${option} names a file that cannot be read: ${file}`);
  }
}
