#!/usr/bin/env node
// A file that is there before anything is built, so that installing from a clone can link it.
import '../dist/cli.js';
