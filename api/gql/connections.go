package gql

import (
	"context"

	"github.com/graph-gophers/graphql-go"
)

// Worker connections. There are none until apps can connect by WebSocket.

// pageNode is the type PageInfo.
type pageNode struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

// workersNode is the type ConnectV1WorkerConnectionsConnection.
type workersNode struct {
	Edges      []*workerEdge
	PageInfo   pageNode
	TotalCount int32
}

type workerEdge struct {
	Node   *workerNode
	Cursor string
}

// workerNode is the type ConnectV1WorkerConnection.
type workerNode struct {
	ID, GatewayID                                        text
	InstanceID, WorkerIP, GroupHash, SDKLang, SDKVersion string
	SDKPlatform, OS, Status                              string
	MaxWorkerConcurrency                                 number
	AppName, DisconnectReason, BuildID, AppVersion       *string
	AppID, SyncID                                        *text
	App                                                  *appNode
	ConnectedAt                                          moment
	LastHeartbeatAt, DisconnectedAt                      *moment
	FunctionCount, CPUCores, MemBytes                    int32
}

// workersArgs are the arguments of workerConnections.
type workersArgs struct {
	First   int32
	After   *string
	OrderBy []struct{ Field, Direction string }
	Filter  struct {
		From, Until *text
		TimeField   string
		Status      *[]string
		AppIDs      *[]text
	}
}

// WorkerConnections lists connections.
func (*query) WorkerConnections(context.Context, workersArgs) *workersNode {
	return &workersNode{Edges: []*workerEdge{}}
}

// WorkerConnection finds a connection.
func (*query) WorkerConnection(_ context.Context, args struct{ ConnectionID text }) (*workerNode, error) {
	if _, err := parseID(args.ConnectionID); err != nil {
		return nil, err
	}
	return nil, refuse("error retrieving worker connection: " + textNoRows)
}

// workspaceNode is the type Workspace.
type workspaceNode struct{ ID graphql.ID }
