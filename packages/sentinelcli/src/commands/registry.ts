/**
 * Every command there is, in the order in which help lists them.
 */
import type { Command } from '../command.ts';
import { alertsList } from './alerts-list.ts';
import { alertsShow } from './alerts-show.ts';
import { auditVerify } from './audit-verify.ts';
import { configShow } from './config-show.ts';
import { configValidate } from './config-validate.ts';
import { health } from './health.ts';
import { query } from './query.ts';

export const COMMANDS: readonly Command[] = [health, alertsList, alertsShow, query, auditVerify, configShow, configValidate];
