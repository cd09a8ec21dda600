#!/usr/bin/env node
// Starts the built sentinelagent, or says how to build it.
import { launch } from '../../runtime/bin/launch.js';

await launch('sentinelagent');
