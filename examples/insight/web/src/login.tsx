/** A user of the cluster, or the server's token. */
import { useSignal } from '@preact/signals'
import { call, keepToken } from './api.ts'
import { reconnect } from './store.ts'

export function Login() {
  const user = useSignal('')
  const password = useSignal('')
  const failure = useSignal('')
  const enter = async (event: Event): Promise<void> => {
    event.preventDefault()
    try {
      keepToken(user.value === '' ? password.value : (await call<{ token: string }>('/login', { user: user.value, password: password.value })).token)
      reconnect()
    } catch (error) {
      failure.value = error instanceof Error ? error.message : String(error)
    }
  }
  return (
    <main>
      <form class="login" onSubmit={(event) => void enter(event)}>
        <h2>Log in</h2>
        <label>
          User (empty for the server's token)
          <input autoComplete="username" value={user.value} onInput={(event) => (user.value = event.currentTarget.value)} />
        </label>
        <label>
          Password or token
          <input type="password" autoComplete="current-password" required value={password.value} onInput={(event) => (password.value = event.currentTarget.value)} />
        </label>
        {failure.value !== '' && (
          <p class="failure" role="alert">
            {failure.value}
          </p>
        )}
        <button>Enter</button>
      </form>
    </main>
  )
}
