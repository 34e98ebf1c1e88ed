package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// prepared is a database that compiles each query once for each of its connections. The queries are few: they are
// constants of this package. Closing the database releases them.
type prepared struct {
	db         *sql.DB
	statements sync.Map // query string -> *sql.Stmt
}

func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.statements.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, raced := p.statements.LoadOrStore(query, s); raced {
		_ = s.Close() // the other one is as good
		return first.(*sql.Stmt), nil
	}
	return s, nil
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.statement(ctx, query)
	if err != nil {
		return p.db.QueryRowContext(ctx, query, args...) // which reports what is wrong
	}
	return s.QueryRowContext(ctx, args...)
}
