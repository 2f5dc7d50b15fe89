/** Consistency levels, by their numbers. */
export const consistencyLevels = ['Strong', 'Session', 'Bounded', 'Eventually', 'Customized']
