/**
 * When a silent connection is probed, how often, and how many answers may be missing; on both sides of it, since each
 * has to notice that the other is gone. There is no limit for bytes that nobody takes: a server may need longer than
 * that for a single row, and a sink may be full.
 */
export const KEEPALIVE = { idleS: 10, intervalS: 5, count: 4 } as const

/** Settings with which a server notices that a client is gone; otherwise its locks stay for hours. */
export const SERVER_KEEPALIVE: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: `${KEEPALIVE.idleS}`,
  tcp_keepalives_interval: `${KEEPALIVE.intervalS}`,
  tcp_keepalives_count: `${KEEPALIVE.count}`,
}
