import type { App, DemoApp } from './caller.ts';
import type { Portal } from './portal.ts';
import type { Story } from './story.ts';
import type { Tape } from './tape.ts';

/** What every chapter is given. */
export interface Scene {
  story: Story;
  caller: DemoApp;
  portal: Portal;
  tape: Tape;
  /** What the functions see. */
  env: Record<string, string>;
  /** A part of names, new with every run, so that the demo plays any number of times on one server. */
  run: string;
  /** The mini-program of this story: an app with all scopes but `plugin:validate`. */
  app: App;
}
