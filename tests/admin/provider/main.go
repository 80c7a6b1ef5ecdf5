// An OpenID provider for tests: the certified library of Zitadel with its own example of a storage, a public client that may use the
// code flow with PKCE and the device flow, and groups of its users among the claims.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const clientID = "wingbeat"

type client struct{ *storage.Client }

func (client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode}
}
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (client) IDTokenLifetime() time.Duration       { return lifetime }
func (client) IsScopeAllowed(scope string) bool     { return scope == "groups" }

var lifetime = 8 * time.Second

type store struct {
	*storage.Storage
	users storage.UserStore
}

func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{found.(*storage.Client)}, nil
}

func (s *store) groups(info *oidc.UserInfo, user string) {
	if user == "id1" {
		info.AppendClaims("groups", []string{"maps", "everybody"})
	}
}

func (s *store) SetUserinfoFromScopes(ctx context.Context, info *oidc.UserInfo, user, client string, scopes []string) error {
	s.groups(info, user)
	return s.Storage.SetUserinfoFromScopes(ctx, info, user, client, scopes)
}

func (s *store) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	s.groups(info, token.GetSubject())
	if err := s.Storage.SetUserinfoFromScopes(ctx, info, token.GetSubject(), clientID, scopes); err != nil {
		return err
	}
	return s.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
}

// The example completes a device by the name of the user; tokens are of its id.
func (s *store) CompleteDeviceAuthorization(ctx context.Context, code, name string) error {
	return s.Storage.CompleteDeviceAuthorization(ctx, code, s.users.GetUserByUsername(name).ID)
}

func main() {
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	issuer := fmt.Sprintf("http://127.0.0.1:%d", listening.Addr().(*net.TCPAddr).Port)
	storage.RegisterClients(storage.NativeClient(clientID, "http://127.0.0.1/callback"))
	users := storage.NewUserStore(issuer)
	provider := exampleop.SetupServer(issuer, &store{storage.NewStorage(users), users}, nil, false)
	fmt.Println(issuer)
	log.Fatal(http.Serve(listening, provider))
}
