import { KEEPALIVE } from '../client-server/keepalive.ts'

/** Settings with which a server notices that a client is gone; otherwise its locks stay for hours. */
export const SERVER_KEEPALIVE: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: `${KEEPALIVE.idleS}`,
  tcp_keepalives_interval: `${KEEPALIVE.intervalS}`,
  tcp_keepalives_count: `${KEEPALIVE.count}`,
}
