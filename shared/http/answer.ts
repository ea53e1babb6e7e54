/** A body with further headers, where a handler needs them. */
export class Answer {
  constructor(
    readonly body: unknown,
    readonly headers: Record<string, string>,
  ) {}
}

/** The body as it is, for those who do not read JSON. */
export class PlainText {
  constructor(readonly text: string) {}
}
