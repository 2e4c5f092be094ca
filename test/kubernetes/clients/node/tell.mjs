/** Tells the test something: one line of JSON. */
export function tell(event, more = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);
}

/** Of a lease, what the test looks at. */
export function seen({ metadata, spec }) {
  return { name: metadata.name, version: metadata.resourceVersion, annotations: metadata.annotations ?? {}, spec: spec ?? {} };
}
