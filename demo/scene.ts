import type { App, DemoApp } from './caller.ts';
import type { Portal } from './portal.ts';
import type { Story } from './story.ts';
import type { Tape } from './tape.ts';

/** The input of every chapter. */
export interface Scene {
  story: Story;
  caller: DemoApp;
  portal: Portal;
  tape: Tape;
  url: string;
  /** The environment of the functions. */
  env: Record<string, string>;
  /** A part of names that is new with every run, so that the demo can run again on the same server. */
  run: string;
  /** The mini-program of the demo: an app with the scopes that `app create` gives. */
  app: App;
}
