/** Roles of a process of a cluster as Milvus names them. */
import type { ClusterRole } from './membership.ts'

export const MILVUS_ROLES: { readonly [Role in ClusterRole]: readonly string[] } = {
  proxy: ['proxy'],
  coordinator: ['rootcoord', 'datacoord', 'querycoord'],
  data: ['datanode', 'indexnode'],
  query: ['querynode'],
}
