/** What a node mounts on its own port: everything but the official SDK, which it does not need to know itself. */
export { createInsight } from './insight.ts'
export type { Insight, InsightCluster, InsightOptions } from './insight.ts'
export { builtAssets, readAssets } from './edge/assets.ts'
export type { Asset, Assets } from './edge/front.ts'
export type { AccessOptions, Principal } from './access.ts'
export type { Clock, Json, Kind, Row } from './core/model.ts'
export type { ActionName, InsightSource, Sink, VectorQuery } from './source/source.ts'
