// GraphiQL for this platform: tenant and token fields, saved examples, subscriptions. Nothing is loaded from elsewhere.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./style.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { useCallback, useEffect, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";

const SPANISH = navigator.language.startsWith("es");
const say = (es, en) => (SPANISH ? es : en);

function useStored(storage, key, initial) {
  const [value, setValue] = useState(() => storage.getItem(key) ?? initial);
  useEffect(() => storage.setItem(key, value), [storage, key, value]);
  return [value, setValue];
}

function headersOf(tenant, token) {
  return {
    ...(tenant ? { "X-Tenant-ID": tenant } : {}),
    ...(token ? { Authorization: `Bearer ${token}` } : {}),
  };
}

// Taken over when the field is left or Enter is pressed, not at each letter: every change reads the schema again.
function Field({ value, onCommit, ...rest }) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return (
    <input
      {...rest}
      value={draft}
      onChange={(e) => setDraft(e.target.value)}
      onBlur={() => onCommit(draft.trim())}
      onKeyDown={(e) => e.key === "Enter" && onCommit(draft.trim())}
    />
  );
}

function App() {
  const [tenant, setTenant] = useStored(localStorage, "stegmaier:tenant", "acme");
  const [token, setToken] = useStored(sessionStorage, "stegmaier:token", "");
  const [notice, setNotice] = useState("");
  const [examples, setExamples] = useState([]);
  const [chosen, setChosen] = useState(null);

  useEffect(() => {
    fetch("/graphiql/examples.json").then((answer) => answer.json()).then(setExamples);
  }, []);

  // The token of a log-in is taken over, so that the next operation is the logged-in person's.
  const listen = useCallback(
    async (url, options) => {
      const response = await fetch(url, options);
      response
        .clone()
        .json()
        .then((body) => {
          for (const field of Object.values(body?.data ?? {})) {
            if (field?.accessToken) {
              setToken(field.accessToken);
              setNotice(say("Sesión iniciada: el token ya está en uso.", "Logged in: the token is in use now."));
            }
          }
        })
        .catch(() => undefined);
      return response;
    },
    [setToken],
  );

  const fetcher = useMemo(
    () =>
      createGraphiQLFetcher({
        url: "/graphql",
        fetch: listen,
        headers: headersOf(tenant, token),
        wsClient: createClient({
          url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`,
          lazy: true,
          connectionParams: { authorization: token ? `Bearer ${token}` : undefined, "X-Tenant-ID": tenant },
        }),
      }),
    [tenant, token, listen],
  );

  return (
    <div className="platform">
      <header className="platform-bar">
        <strong>Stegmaier</strong>
        <label>
          {say("Organización", "Tenant")}
          <Field id="tenant" value={tenant} onCommit={setTenant} spellCheck={false} />
        </label>
        <label>
          Token
          <Field
            id="token"
            type="password"
            value={token}
            placeholder={say("ejecuta el ejemplo «Iniciar sesión»", "run the “Log in” example")}
            onCommit={setToken}
            autoComplete="off"
          />
        </label>
        {token && (
          <button id="forget" type="button" onClick={() => { setToken(""); setNotice(""); }}>
            {say("Salir", "Forget")}
          </button>
        )}
        <select
          id="examples"
          value=""
          aria-label={say("Ejemplos", "Examples")}
          onChange={(e) => setChosen({ ...examples[Number(e.target.value)], at: Date.now() })}
        >
          <option value="" disabled>
            {say("Ejemplos…", "Examples…")}
          </option>
          {examples.map((example, index) => (
            <option key={example.en} value={index}>
              {say(example.es, example.en)}
            </option>
          ))}
        </select>
        <span id="notice" role="status">{notice}</span>
      </header>
      <main>
        <GraphiQL
          key={chosen?.at ?? "first"}
          fetcher={fetcher}
          initialQuery={chosen?.query}
          initialVariables={chosen?.variables ? JSON.stringify(chosen.variables, null, 2) : undefined}
          defaultTabs={chosen ? [{ query: chosen.query, variables: chosen.variables ? JSON.stringify(chosen.variables, null, 2) : "" }] : undefined}
          storage={chosen ? { getItem: () => null, setItem: () => undefined, removeItem: () => undefined, clear: () => undefined, length: 0 } : undefined}
          isHeadersEditorEnabled
          defaultEditorToolsVisibility="variables"
          defaultQuery={`# ${say("Elige un ejemplo arriba, o escribe aquí.", "Choose an example above, or write here.")}\n{ __typename }\n`}
        />
      </main>
    </div>
  );
}

createRoot(document.getElementById("root")).render(<App />);
