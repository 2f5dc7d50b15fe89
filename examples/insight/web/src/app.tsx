/** The page from top to bottom, and its keys. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Charts } from './charts.tsx'
import { Collections } from './collections.tsx'
import { Drawer } from './drawer.tsx'
import { Feed } from './feed.tsx'
import { Help } from './help.tsx'
import { handleKey } from './keys.ts'
import { Login } from './login.tsx'
import { Members } from './members.tsx'
import { failure, needsLogin } from './store.ts'
import { Strip } from './strip.tsx'
import { Tiles } from './tiles.tsx'

export function App() {
  const isHelpOpen = useSignal(false)
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => handleKey(event, () => (isHelpOpen.value = true))
    addEventListener('keydown', listener)
    return () => removeEventListener('keydown', listener)
  }, [isHelpOpen])
  return (
    <>
      <a class="skip" href="#collections">
        To the collections
      </a>
      <Strip />
      {needsLogin.value ? (
        <Login />
      ) : (
        <main>
          {failure.value !== undefined && (
            <p class="failure" role="alert">
              {failure.value} <button onClick={() => (failure.value = undefined)}>Dismiss</button>
            </p>
          )}
          <Tiles />
          <Collections />
          <div class="columns">
            <div>
              <Members />
              <Charts />
            </div>
            <Feed />
          </div>
        </main>
      )}
      <Drawer />
      {isHelpOpen.value && <Help close={() => (isHelpOpen.value = false)} />}
    </>
  )
}
