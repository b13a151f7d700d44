/** Bytes as they stream by, unchanged; `see` is shown each piece. */
export async function* observing(
  source: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    see(chunk);
    yield chunk;
  }
}

/** The same; `see` hears how many there are in each piece. */
export const counting = (source: AsyncIterable<Uint8Array>, see: (bytes: number) => void): AsyncGenerator<Uint8Array> =>
  observing(source, ({ length }) => see(length));
