/** The one table of routes. */
import { v1Routes } from './routes-v1.ts'
import type { Route } from './route.ts'
import { accessRoutes } from './routes-access.ts'
import { collectionRoutes } from './routes-collections.ts'
import { entityRoutes } from './routes-entities.ts'
import { jobRoutes } from './routes-jobs.ts'
import { metadataRoutes } from './routes-metadata.ts'
import { resourceRoutes } from './routes-resource.ts'
import { searchRoutes } from './routes-search.ts'

export const routes: readonly Route[] = [
  ...collectionRoutes,
  ...entityRoutes,
  ...searchRoutes,
  ...metadataRoutes,
  ...accessRoutes,
  ...jobRoutes,
  ...v1Routes,
  ...resourceRoutes,
]
