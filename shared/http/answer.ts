/** A body with extra headers, for handlers that set some. */
export class Answer {
  constructor(
    readonly body: unknown,
    readonly headers: Record<string, string>,
  ) {}
}

/** A body that is sent as plain text, not as JSON. */
export class PlainText {
  constructor(readonly text: string) {}
}
