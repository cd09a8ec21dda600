#!/usr/bin/env node
// Starts the built program, or says how to build it.
import { launch } from '../../runtime/bin/launch.js';

await launch('sentinel-verify');
