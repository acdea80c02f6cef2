/** Loaded into the gateway of a bench: SIGCONT collects all garbage, so that memory is compared and not the collector's mood (performance.md P6). */
process.on('SIGCONT', () => globalThis.gc?.())
