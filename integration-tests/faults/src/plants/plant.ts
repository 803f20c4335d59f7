/**
 * Loaded before a member that suffers from a planted fault: from here on it gets changed copies of the modules that the fault is planted in.
 *
 * @module
 */
import { register } from 'node:module';
import type { MemberStart } from '../member-start.js';
import { plantedFaults } from './planted-faults.js';

const { plant } = JSON.parse(process.argv[2]!) as MemberStart;
register('./patching-hooks.js', { parentURL: import.meta.url, data: plantedFaults[plant!]!.patches });
