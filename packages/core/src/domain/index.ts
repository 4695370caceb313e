// The words and errors alone, for whoever must start small: without the use cases and the schema library behind them.
export { AppError, ERROR_CODES, hasCode } from '../errors.ts'
export { isoNow, systemClock } from '../ports/clock.ts'
export { BACKUP_TRANSITIONS } from './backup.ts'
export { isUuid } from './names.ts'
export { isFinished } from './operation.ts'
export { uuidv7 } from './uuid.ts'
