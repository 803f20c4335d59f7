#!/usr/bin/env node
// A file that is there before anything is built, so that installing from a clone can link it.
await import('../dist/cli.js');
