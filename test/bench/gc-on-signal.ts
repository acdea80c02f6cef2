/** Loaded into the gateway of a bench: SIGUSR2 collects all garbage, so that memory is compared and not the collector's mood (performance.md P6). */
process.on('SIGUSR2', () => globalThis.gc?.())
