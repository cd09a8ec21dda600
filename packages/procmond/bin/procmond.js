#!/usr/bin/env node
// Starts the built procmond, or says how to build it.
import { launch } from '../../runtime/bin/launch.js';

await launch('procmond');
