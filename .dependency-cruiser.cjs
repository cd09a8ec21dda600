// What `depcruise` and editors see of the zones; the tables are in scripts/checks/zones.ts, the check is
// scripts/checks/boundaries.ts, which also follows what is reached through several imports.
const { BOUNDARY_RULES, CRUISE_OPTIONS } = require('./scripts/checks/boundary-rules.ts');

module.exports = { forbidden: BOUNDARY_RULES, options: { ...CRUISE_OPTIONS, exclude: { path: '/dist/' } } };
