package server

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTPServer returns an [http.Server] for a handler with limits against clients that are slow on purpose. A connection
// that becomes a WebSocket has none of them: its handler sets its own. logger gets what net/http has to complain about; nil for
// [slog.Default].
func HTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.Default()
	}
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		// A sign-in may wait for its turn to hash and for the client's page.
		WriteTimeout: time.Minute,
		IdleTimeout:  2 * time.Minute,
		// More than one line may have, so that one that is too long is answered by the security filter.
		MaxHeaderBytes: 2 * maxLine,
		// OPTIONS * is no route like any other that is none.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}
