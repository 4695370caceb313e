/**
 * When a silent connection is probed, how often, and how many answers may be missing; on both sides of it, since each
 * has to notice that the other is gone. There is no limit for bytes that nobody takes: a server may need longer than
 * that for a single row, and a sink may be full.
 */
export const KEEPALIVE = { idleS: 10, intervalS: 5, count: 4 } as const
