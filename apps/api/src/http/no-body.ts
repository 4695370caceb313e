import { Type } from 'typebox'

/** For calls that take nothing: no body, or an empty object from clients that always send one. */
export const NoBody = Type.Union([Type.Null(), Type.Object({}, { additionalProperties: false })])
